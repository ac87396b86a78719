"""Print `--help` as Hydra does, without importing it, which takes longer than all the rest."""

from __future__ import annotations

import string
import sys

from runner.config.shipped import CONF, all_groups, files_tell_all, parsed_yaml


def print_help() -> bool:
    """Print what `conf/hydra/default.yaml` says, with the groups that there are; False where only Hydra knows those."""
    if not files_tell_all():
        return False
    told = parsed_yaml((CONF / "hydra" / "default.yaml").read_text(encoding="utf-8"))["help"]
    text = told["template"]
    for name in ("header", "footer"):
        text = text.replace(f"${{hydra.help.{name}}}", told[name])
    groups = "".join(f"{group}: {', '.join(options)}\n" for group, options in sorted(all_groups()))
    sys.stdout.write(string.Template(text).substitute(APP_CONFIG_GROUPS=groups) + "\n")
    sys.stdout.flush()
    return True
