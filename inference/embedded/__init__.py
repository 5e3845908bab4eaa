"""llama.cpp's server from a wheel, behind a stated subset of llama-server's command line, and the small model that ships."""
