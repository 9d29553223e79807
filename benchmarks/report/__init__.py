"""One page of HTML that shows a suite's rows: everything it says is computed here, the page only draws."""
