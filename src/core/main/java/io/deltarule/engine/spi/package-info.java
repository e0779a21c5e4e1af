/**
 * What an implementation of an engine builds on: {@link io.deltarule.engine.spi.AbstractEngine}.
 */
package io.deltarule.engine.spi;
