"""The parts that lessons take apart."""
