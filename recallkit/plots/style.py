"""The colours of all figures: Okabe and Ito's, told apart by the colour-blind too.

What a colour says, a line style, a marker or a sign says as well.
"""

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"


ORANGE, SKY, PURPLE, GREY = "#E69F00", "#56B4E9", "#CC79A7", "#666666"


CYCLE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)


LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 2)))


MARKERS = ("o", "s", "^", "D", "v", "P", "X")
