"""Messages between the controller and the zone processes, and the channel that carries them."""
