"""From images and files to numbers: embed, then measure by the protocol of a data set."""
