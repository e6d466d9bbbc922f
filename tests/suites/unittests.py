"""Run the tests of a module like unittest -v: unittests.py MODULE but|only [TEST]..."""
import sys
import unittest


def single(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from single(test)
        else:
            yield test


def main():
    module, how, names = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    tests = single(unittest.defaultTestLoader.loadTestsFromName(module))
    chosen = unittest.TestSuite(test for test in tests if (test.id() in names) == (how == "only"))
    result = unittest.TextTestRunner(verbosity=2).run(chosen)
    return not result.wasSuccessful()


if __name__ == "__main__":
    sys.exit(main())
