"""What pyproject.toml has no words for: packages that are found, and one more beside them.

``assets/weights`` is installed as ``segedu/weights``, so that a wheel brings the trained networks along.
"""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["segedu*"]), "segedu.weights"])
