"""Pages read as a strict browser would: every element closed in order, nothing from the network."""

from html.parser import HTMLParser

import pytest

VOID = {"meta", "img", "input", "br"}


class Reader(HTMLParser):
    """`elements` are (tag, attributes); `text` is what a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def check(self):
        assert self._open == []
        for tag, attributes in self.elements:
            for name in ("src", "href", "action", "data", "srcset"):
                assert attributes.get(name, "#").startswith(("data:image/", "#")), f"<{tag} {name}> leaves the file"
            assert not any(name.startswith("on") for name in attributes)
        assert all(attributes.get("alt") for attributes in self.all("img"))
        names = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(names) == len(set(names))


@pytest.fixture
def read():
    """Read HTML: its elements and its text, after checking that it is well formed and stands alone."""

    def call(document: str) -> Reader:
        reader = Reader()
        reader.feed(document)
        reader.close()
        reader.check()
        return reader

    return call
