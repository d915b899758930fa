"""The table says so when a row breaks its limit, and judges the median only."""

import unittest

from table import Limit, Line, render

AT_LEAST = Limit("ratio", "<=", 1.1, "<= 1.1 x nginx")


class Table(unittest.TestCase):
    def test_a_broken_row_is_marked(self):
        line = Line("claim", [12, 12, 12], [10, 10, 10], at_least=AT_LEAST)
        self.assertTrue(line.broken)
        self.assertIn("<= 1.1 x nginx: BROKEN", render([line]))

    def test_a_row_that_holds_is_not(self):
        line = Line("claim", [11, 10, 30], [10, 10, 10], at_least=AT_LEAST, hoped=Limit("ratio", "<=", 1, "<= 1 x"))
        self.assertFalse(line.broken)
        self.assertIn("1.00 1.10 3.00", render([line]))
        self.assertIn("<= 1 x: not yet", render([line]))

    def test_the_ratio_is_of_pairs(self):
        self.assertEqual(Line("claim", [1, 4], [2, 4]).ratio, [0.5, 1])
        self.assertEqual(Line("win", [3, 4], None, [2, 4]).ratio, [1.5, 1])

    def test_a_ratio_that_says_nothing_is_left_out(self):
        self.assertNotIn("0.50", render([Line("claim", [1], [2], ratio=[])]))

    def test_more_is_better_the_other_way_round(self):
        self.assertTrue(Line("wins", [5], None, [10], at_least=Limit("ratio", ">=", 0.6, ">= 0.6 x")).broken)
        self.assertFalse(Line("wins", [6], None, [10], at_least=Limit("ratio", ">=", 0.6, ">= 0.6 x")).broken)

    def test_a_row_without_a_limit_is_shown(self):
        self.assertFalse(Line("claim", [1]).broken)
        self.assertIn("shown", render([Line("claim", [1])]))


if __name__ == "__main__":
    unittest.main()
