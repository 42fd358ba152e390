"""Tools of finished datasets: describe them for others, join them, choose from them, divide and export them."""
