"""The relaxed rank, and three engines that compute it."""
