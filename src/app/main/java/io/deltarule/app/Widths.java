package io.deltarule.app;

import java.util.List;

/**
 * Numbers of units as one option gives them.
 *
 * @param units each at least 1
 */
record Widths(List<Integer> units) {}
