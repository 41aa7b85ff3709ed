"""How the report looks: markup, pictures as inline SVG, and the sections of the page."""
