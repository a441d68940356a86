"""The house's colours, told apart with any common kind of colour vision (after Okabe and Ito)."""

NOW = "#D55E00"  # vermilion: what a picture is about
REST = "#0072B2"  # blue: everything beside it
GREEN, PINK, AMBER = "#009E73", "#CC79A7", "#E69F00"
