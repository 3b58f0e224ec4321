"""Tests of the count: a red run that reads as green would be worse than none."""

import unittest

from tally import tally

GREEN = """\
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
Ran 5 tests in 0.002s
OK
RESULT autobahn: 300 passed, 0 failed
# tests 4
# pass 4
# fail 0
# cancelled 0
"""


class Counting(unittest.TestCase):
    """One log in, two numbers out."""

    def count(self, text, status=0):
        """The count of a log."""
        return tally(text.splitlines(), status)

    def test_adds_up_all_runners(self):
        self.assertEqual(self.count(GREEN), (321, 0))

    def test_failures_of_each_runner_count(self):
        self.assertEqual(self.count("test result: FAILED. 3 passed; 2 failed; 0 ignored", 2), (3, 2))
        self.assertEqual(self.count("Ran 5 tests in 1.0s\nFAILED (failures=1, errors=1)", 2), (3, 2))
        self.assertEqual(self.count("RESULT fuzz: 6 passed, 1 failed", 2), (6, 1))
        self.assertEqual(self.count("# pass 1\n# fail 2\n# cancelled 3", 2), (1, 5))

    def test_a_step_that_broke_without_a_test_is_one_failure(self):
        self.assertEqual(self.count(GREEN + "make: *** [Makefile:40: lint] Error 101", 2), (321, 1))

    def test_a_step_that_broke_because_of_its_tests_is_not_counted_again(self):
        text = "test result: FAILED. 3 passed; 2 failed; 0 ignored\nmake[1]: *** [Makefile:40: unit] Error 101"
        self.assertEqual(self.count(text, 2), (3, 2))

    def test_steps_that_broke_count_each(self):
        text = "make: *** [Makefile:4: check] Error 1\nRESULT x: 1 passed, 1 failed\n" \
               "make: *** [Makefile:9: autobahn] Error 1\nmake: *** [Makefile:12: lint] Error 101"
        self.assertEqual(self.count(text, 2), (1, 3))

    def test_a_bad_status_alone_is_a_failure(self):
        self.assertEqual(self.count(GREEN, 2), (321, 1))

    def test_colours_do_not_hide_a_line(self):
        self.assertEqual(self.count("test result: \x1b[32mok\x1b[0m. 7 passed; 0 failed; 0 ignored"), (7, 0))


if __name__ == "__main__":
    unittest.main()
