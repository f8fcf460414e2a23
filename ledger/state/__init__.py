"""Parts of the state that the rules fold: one module for each area of the catalogue, frozen values only."""
