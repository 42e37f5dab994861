"""The operations and their rules, a family in each file; `table` has all of them by name. Rules know no graph."""
