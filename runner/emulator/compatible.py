"""The face of a compatible server: keys where it asks for them, any model, errors in its own form."""

from __future__ import annotations

from collections.abc import Mapping

from runner.emulator import catalog
from runner.emulator.manner import MANNERS
from runner.emulator.refusal import Refusal
from runner.emulator.settings import EmulatorSettings
from runner.emulator.surface import OpenAISurface, bearer


class CompatibleSurface(OpenAISurface):
    """`/v1` of the server whose dialect the settings name."""

    def __init__(self, settings: EmulatorSettings) -> None:
        super().__init__(settings)
        self.manner = MANNERS[settings.dialect]

    def authorize(self, headers: Mapping[str, str]) -> None:
        """Ask for a key only where the server does, or where one was set."""
        wanted, key = self.settings.api_key, bearer(headers)
        if (self.manner.keyed and not key) or wanted not in (None, key):
            raise Refusal(401, "Unauthorized", "auth_error", code="401")

    def error(self, refusal: Refusal) -> dict[str, object]:
        """OpenAI's envelope from a gateway, FastAPI's detail from the others."""
        if self.manner.envelope:
            return super().error(refusal)
        return dict(refusal.inner) if refusal.inner is not None else {"detail": refusal.message}

    def job_id(self) -> str:
        """Return an id of the server's form."""
        return self.manner.job_id()

    def video_sizes(self, model: str) -> tuple[str, ...]:
        """Return the sizes that OpenAI's own operations look for; creating takes any."""
        del model
        return catalog.STANDARD_SIZES + catalog.LARGE_SIZES

    def models(self) -> tuple[str, ...]:
        """Return what is served: one model, unless the settings name others."""
        return self.settings.models or ("Wan-AI/Wan2.2-T2V-A14B-Diffusers",)


def invalid(name: str, message: str, kind: str = "value_error") -> Refusal:
    """FastAPI's 422 for one field."""
    detail = [{"type": kind, "loc": ["body", name], "msg": message}]
    return Refusal(422, f"{name}: {message}", param=name, inner={"detail": detail})
