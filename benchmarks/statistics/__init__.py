"""From rows to n*, exponents, ranks and components of variance."""
