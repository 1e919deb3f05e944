"""The steps of the records' schema, oldest first; a step that has been released is never edited."""
