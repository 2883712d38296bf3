#!/usr/bin/env python3
"""Checks links without a network: relative links of Markdown files, names of documents in sources, the built site.

usage: dev/check_links.py [--site DIR]

Every relative link of a Markdown file leads to a file of the repository, and its anchor to a heading as GitHub names it.
Every `docs/….md` that a source file names exists. With --site, no page of the built site loads anything from another server.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = {".git", ".windrow", "target", "node_modules", "corpus", "__pycache__"}
SOURCE_SUFFIXES = {".rs", ".sh", ".py", ".js", ".mjs", ".ts", ".toml", ".yml", ".yaml", ".json", ".java"}
DOCUMENT_NAME = re.compile(r"\bdocs/[\w/.-]+\.md\b")
# What a browser fetches by itself. `a` and `link rel=…` without these relations only lead somewhere.
FETCHED_ATTRIBUTES = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href", "use": "href"}
FETCHED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "manifest", "preconnect", "dns-prefetch"}
LOADED_BY_STYLE = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')]+)")
PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


class HtmlReferences(HTMLParser):
    """Collects the links and the anchors of a piece of HTML, and what a browser fetches for it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.fetched: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        self.links += [values[name].split()[0] for name in ("href", "src", "srcset") if values.get(name)]
        loads = tag != "link" or not FETCHED_RELATIONS.isdisjoint(values.get("rel", "").split())
        if loads and (target := values.get(FETCHED_ATTRIBUTES.get(tag, ""))):
            self.fetched.append(target)


def list_files() -> Iterator[Path]:
    """Yields the files of the repository, without build output."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - SKIPPED_FOLDERS)
        yield from (Path(folder) / name for name in sorted(names))


def inline_tokens(tokens: list[Token]) -> Iterator[Token]:
    """Yields all tokens, those inside of paragraphs and headings too."""
    for token in tokens:
        yield token
        yield from inline_tokens(token.children or [])


def heading_anchor(inline: Token) -> str:
    """Returns GitHub's anchor of a heading, without the number of a repeated one."""
    text = "".join(token.content for token in inline.children or [] if token.type in ("text", "code_inline"))
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


@cache
def anchors_of(document: Path) -> set[str]:
    """Returns the anchors of a Markdown file."""
    tokens = PARSER.parse(document.read_text(encoding="utf-8"))
    counts: dict[str, int] = {}
    anchors: set[str] = set()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            anchor = heading_anchor(inline)
            seen = counts.get(anchor, 0)
            counts[anchor] = seen + 1
            anchors.add(f"{anchor}-{seen}" if seen else anchor)
    for token in inline_tokens(tokens):
        if token.type in ("html_block", "html_inline"):
            anchors |= HtmlReferences(token.content).anchors
    return anchors


def links_of(document: Path) -> Iterator[str]:
    """Yields the targets of the links and pictures of a Markdown file."""
    for token in inline_tokens(PARSER.parse(document.read_text(encoding="utf-8"))):
        if token.type == "link_open":
            yield str(token.attrs["href"])
        elif token.type == "image":
            yield str(token.attrs["src"])
        elif token.type in ("html_block", "html_inline"):
            yield from HtmlReferences(token.content).links


def link_mistake(document: Path, link: str) -> str | None:
    """Returns why a link of a Markdown file leads nowhere, or None."""
    path, _, anchor = unquote(link).partition("#")
    if re.match(r"[a-z][a-z0-9+.-]*:|//", path):
        return None
    if path.startswith("/"):
        return "begins with a slash; write it relative to the file"
    target = (document.parent / path).resolve() if path else document
    if not target.exists():
        return "there is no such file"
    if not target.is_relative_to(ROOT):
        return "leads out of the repository"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return f"{target.relative_to(ROOT)} has no heading for this anchor"
    return None


def repository_mistakes() -> Iterator[str]:
    """Yields a line for each link and for each name of a document that leads nowhere."""
    for file in list_files():
        where = file.relative_to(ROOT)
        if file.suffix == ".md":
            for link in links_of(file):
                if mistake := link_mistake(file, link):
                    yield f"{where}: {link}: {mistake}"
        elif file.suffix in SOURCE_SUFFIXES:
            for name in DOCUMENT_NAME.findall(file.read_text(encoding="utf-8", errors="replace")):
                if not (ROOT / name).exists():
                    yield f"{where}: {name}: there is no such document"


def site_mistakes(site: Path) -> Iterator[str]:
    """Yields a line for each thing that a page of the built site loads from another server."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        yield f"{site}: there is no page"
    for page in pages:
        for target in HtmlReferences(page.read_text(encoding="utf-8")).fetched:
            if re.match(r"(https?:)?//", target):
                yield f"{page.relative_to(site)}: loads {target}"
    for style in site.rglob("*.css"):
        for target in LOADED_BY_STYLE.findall(style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(site)}: loads {target}"


def main() -> int:
    """Prints every mistake; returns 1 if there is one."""
    parser = argparse.ArgumentParser(description="Checks links without a network.")
    parser.add_argument("--site", type=Path, metavar="DIR", help="also check this built site")
    site = parser.parse_args().site
    mistakes = list(repository_mistakes()) + (list(site_mistakes(site)) if site else [])
    print("\n".join(mistakes) if mistakes else "all links lead somewhere")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
