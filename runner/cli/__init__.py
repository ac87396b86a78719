"""What stands between the shell and Hydra: guards, `.env`, help, and the driving of Hydra itself."""
