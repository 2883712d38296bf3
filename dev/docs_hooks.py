"""Hooks of MkDocs (mkdocs.yml): papers of the root folder become pages, and links leave no file of the site. A picture in
two colours follows the site's switch for light and dark.

In the repository, a link from docs/ leads to ARCHITECTURE.md, to a source file or to the README of a folder. The site has
only the pages of docs/ and the papers below. A link to any other file becomes the path as text.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PAPERS = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code_of_conduct.md",
}
PAPER_OF_PAGE = {page: paper for paper, page in PAPERS.items()}
START_PAGES = {"README.md": "index.md", "README.ko.md": "index.md"}
MARK = "crates/web/assets/shared/mark.svg"

FENCED_BLOCK = re.compile(r"(^ *```.*?^ *```[^\n]*$)", re.DOTALL | re.MULTILINE)
INLINE_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
PICTURE = re.compile(r'<picture>\s*<source[^>]* srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*</picture>')
TABLE_CELL = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Adds the papers of the root folder and Windrow's mark."""
    for paper, page in PAPERS.items():
        if (ROOT / paper).exists():
            files.append(File.generated(config, page, content=(ROOT / paper).read_text(encoding="utf-8")))
    files.append(File.generated(config, "assets/mark.svg", abs_src_path=str(ROOT / MARK)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links of the repository into links of the site, and each `<picture>` into an image for each colour."""
    markdown = PICTURE.sub(r"![\2](\3#only-light)\n![\2](\1#only-dark)", markdown)
    parts = FENCED_BLOCK.split(markdown)
    # The parts with odd numbers are fenced blocks.
    parts[::2] = [INLINE_LINK.sub(lambda link: rewrite_link(link, page.file, files), part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Shows a bar in the code of a table's cell as GitHub does: without the backslash before it."""
    return TABLE_CELL.sub(lambda cell: cell.group().replace("\\|", "|"), html)


def rewrite_link(link: re.Match[str], file: File, files: Files) -> str:
    """Returns the Markdown that stands for `link` on the page made from `file`."""
    mark, text, target = link.groups()
    path, hash_sign, anchor = target.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return link.group()
    source = PAPER_OF_PAGE.get(file.src_uri, f"docs/{file.src_uri}")
    in_repository = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    page = PAPERS.get(in_repository) or START_PAGES.get(in_repository) or in_repository.removeprefix("docs/")
    if files.get_file_from_path(page) or in_repository.startswith("docs/"):
        to_page = posixpath.relpath(page, posixpath.dirname(file.src_uri) or ".")
        return f"{mark}[{text}]({to_page}{hash_sign}{anchor})"
    return text if "`" in text or text == path else f"{text} (`{in_repository}`)"
