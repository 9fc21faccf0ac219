//! Merging the overlay into the pod template.
