"""The gallery is imported by name, as a user's module would be: processes of their own must find it too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
