"""iCalendar as it is kept: files, their components, and the series that these stand for, whoever keeps them."""
