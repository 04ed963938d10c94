-- Months of its payloads may stand: they go on being of their class, which the release before drops like any other.
SELECT 1;
