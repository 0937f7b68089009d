"""Texts of Nietzsche's in English, 600,893 characters: what the book's networks learn to write (8.1)."""

from refnet.datasets import files

SHA256 = "23cf69874ab69d3d256099ab530ea4be24d47d9675b673bcc67cbcd6298ec647"
ORIGIN = "https://s3.amazonaws.com/text-datasets/"


def load_data(path: str = "nietzsche.txt") -> str:
    """The whole text.

    Args:
        path: the file's name, see `refnet.datasets.files`, or its full path.
    Raises:
        MissingFileError: the file is nowhere and cannot be fetched.
    """
    return files.text(files.find(path, sha256=SHA256, origin=ORIGIN))
