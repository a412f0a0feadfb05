"""The command line: `main` runs a verb and turns errors into messages and exit codes."""

import sys
import time
from collections.abc import Sequence

from pixelwise.errors import PixelwiseError

INTERRUPTED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 done, 1 data or model, 2 usage, 3 interrupted."""
    started = time.monotonic()  # a budget counts from here on
    from pixelwise.cli.parser import parse

    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        options.started = started
        code: int = options.run(options)
        return code
    except PixelwiseError as error:
        print(f"pixelwise: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("pixelwise: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nothing is left to say.
        sys.stderr.close()
        return 1
    except OSError as error:
        print(f"pixelwise: {_os_error(error)}", file=sys.stderr)
        return 1


def _os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}. Check the path, its permissions and the free space."
