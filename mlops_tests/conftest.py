"""What all tests share."""

import os
import tempfile

# Loading the definitions touches the storage: never the developer's own.
os.environ["MLOPS_ROOT"] = tempfile.mkdtemp(prefix="mlops-assets-tests-")
os.environ.pop("MLOPS_PROJECT", None)
