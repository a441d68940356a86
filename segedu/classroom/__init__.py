"""The classroom: explorers to play with, exercises that check themselves, claims that are measured.

The only floor that knows notebooks. It needs the ``course`` extra; nothing below it imports it, and importing this
package alone loads no drawing library.
"""
