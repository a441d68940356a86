"""The parts of the painter of cells, one file for each thing that it does."""
