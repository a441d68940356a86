"""The classroom: explorers to play with, exercises that check themselves, claims that are measured.

The only floor that knows notebooks. It needs the ``course`` extra; nothing below it imports it, and importing this
package alone loads no drawing library.
"""

import logging

# Where matplotlib cannot keep its cache of fonts, as in a home that nobody may write to, it warns on the page, below
# whichever cell comes first. The reader can do nothing about it, and what is drawn is the same.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
