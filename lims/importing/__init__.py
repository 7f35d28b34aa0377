"""Files on their way in: workbooks of every subject, history, and the folder of a compression machine."""
