"""Names and values of strangers in messages: in one line, not too long, with nothing that a terminal would obey."""

LONGEST = 450  # characters of a message
TAIL = 150  # of these, kept from the end of a longer one, where the hint is


def one_line(text: str) -> str:
    """The text as one line of at most LONGEST characters that a terminal shows and does not obey.

    Names and values come from files: line ends, escape codes, marks that turn the direction of writing and halves of
    surrogate pairs are written as Python escapes, and what is too long is cut in the middle.
    """
    return cut(visible(cut(text)))


def visible(text: str) -> str:
    """The text with Python escapes for everything that is not to be seen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - TAIL - 5]} ... {text[-TAIL:]}"
