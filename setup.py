from setuptools import setup

setup(cffi_modules=["pygrad/_build.py:ffi"])
