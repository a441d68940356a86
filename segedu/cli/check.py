"""``check``: what this machine has, and whether a training step works on it."""

import argparse
import sys

from segedu.check import report


def run(chosen: argparse.Namespace) -> int:
    """Print the report; 1 where something required is missing."""
    findings = report()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark = "ok" if finding.ok else "MISSING" if finding.required else "-"
        print(f"{mark:<8}{finding.name:<{width}}  {finding.text}")
    missing = [finding for finding in findings if finding.required and not finding.ok]
    for finding in missing:
        print(f"segedu: {finding.name}: {finding.text}", file=sys.stderr)
    return 1 if missing else 0
