/**
 * The contract: {@link io.deltarule.engine.Engine} computes, {@link io.deltarule.engine.Engines}
 * chooses one. Engines themselves live in other modules and are found by ServiceLoader.
 */
package io.deltarule.engine;
