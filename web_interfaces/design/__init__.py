"""The page of the design system: every token and every component, in all their states."""
