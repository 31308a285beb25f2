"""The REST API: JSON in, JSON out, one file per thing that is asked about. No HTML, no SQL."""
