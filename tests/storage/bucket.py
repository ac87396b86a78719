"""A bucket at a real S3 server, asked without any of the code that is tested."""

from __future__ import annotations

import hashlib
import uuid
import xml.etree.ElementTree as ET
from contextlib import ExitStack
from typing import Self
from urllib.parse import quote

import httpx2

from tests.storage.door import Door

_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261201/us-east-1/s3/aws4_request"}
KEY, SECRET = "AKIDCANARY0123456789", "canary/secret+0123=access&key"


class S3:
    """Hold a bucket behind a door; `url` is what a user types."""

    def __init__(self, server: str) -> None:
        self.door = Door(server)
        self.name = f"bucket-{uuid.uuid4().hex[:8]}"
        self.url = f"s3://{self.name}/videos"
        self.environment = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.door.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }
        self._client = httpx2.Client(
            base_url=server,
            headers=_SIGNED,
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._client)
        self._stack.enter_context(self.door)
        self._client.put(f"/{self.name}").raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def read(self, name: str) -> bytes:
        """What lies below `url` under a name."""
        return self._client.get(f"/{self.name}/videos/{quote(name)}").raise_for_status().content

    def type_of(self, name: str) -> str:
        """The media type with which a file is served."""
        return self._client.head(f"/{self.name}/videos/{quote(name)}").raise_for_status().headers["content-type"]

    def names(self) -> set[str]:
        """All that lies below `url`."""
        found, start = set(), ""
        while True:
            answer = self._client.get(
                f"/{self.name}", params={"list-type": "2", "prefix": "videos/", "start-after": start}
            )
            keys = [each.text or "" for each in ET.fromstring(answer.text).iter() if each.tag.endswith("}Key")]
            if not keys:
                return found
            found |= {key.removeprefix("videos/") for key in keys}
            start = keys[-1]

    def hashes(self, below: str = "") -> dict[str, str]:
        """The hash of each file below a directory, but for the ledger and what is hidden."""
        names = [name for name in self.names() if name.startswith(below) and "ledger" not in name]
        return {
            name.removeprefix(below): hashlib.sha256(self.read(name)).hexdigest()
            for name in names
            if not name.rpartition("/")[2].startswith(".")
        }

    def unfinished(self) -> list[str]:
        """Names of uploads in parts that were begun and neither finished nor given up."""
        answer = self._client.get(f"/{self.name}", params={"uploads": ""})
        return [each.text or "" for each in ET.fromstring(answer.text).iter() if each.tag.endswith("Key")]
