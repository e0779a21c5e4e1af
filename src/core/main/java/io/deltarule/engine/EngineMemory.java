package io.deltarule.engine;

/**
 * How much an engine can hold.
 *
 * @param total bytes of all matrices together, those that are there already included
 * @param largest bytes of one matrix
 */
public record EngineMemory(long total, long largest) {}
