"""What may be known of a picture or a clip before faces are looked for in it."""
