"""The parts of the road-scene painter behind `segedu.data.streets.Streets`."""
