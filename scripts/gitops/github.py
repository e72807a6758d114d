"""Comments on pull requests and issues, through `gh`. Each is found again and rewritten, so that none piles up."""

from __future__ import annotations

import re
from pathlib import Path

from scripts.gitops.tools import Failed, output

MARK = re.compile(r"<!-- photo-splat .* -->")


def comment(number: str, file: Path) -> None:
    """Put `file` on a pull request, over the older comment with the same first line.

    Two workflows comment, so the first line is a mark (an HTML comment) of the workflow's own.
    """
    mark = (file.read_text("utf-8").splitlines() or [""])[0]
    if not MARK.fullmatch(mark):
        raise Failed(f"{file} does not begin with a mark such as <!-- photo-splat plan -->.")
    if not re.fullmatch(r"[0-9]+", number):
        raise Failed(f"{number!r} is not a pull request number.")
    older = output(
        *("gh", "api", "--paginate", f"repos/{{owner}}/{{repo}}/issues/{number}/comments", "--jq"),
        '.[] | select(.user.type == "Bot" and (.body | startswith(env.MARK))) | .id',
        environment={"MARK": mark},
    ).split()
    where = ("PATCH", f"comments/{older[0]}") if older else ("POST", f"{number}/comments")
    call = ("gh", "api", "--silent", "--method", where[0], f"repos/{{owner}}/{{repo}}/issues/{where[1]}")
    output(*call, "--field", f"body=@{file}")


def update_issue(title: str, file: Path) -> None:
    """Open the issue with this title, or rewrite it when it is open already."""
    number = output(
        *("gh", "issue", "list", "--state", "open", "--limit", "500", "--json", "number,title", "--jq"),
        "map(select(.title == env.TITLE)) | .[0].number // empty",
        environment={"TITLE": title},
    ).strip()
    what = ("edit", number) if number else ("create", "--title", title)
    output("gh", "issue", *what, "--body-file", str(file))
