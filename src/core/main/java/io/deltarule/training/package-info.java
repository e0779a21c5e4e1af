/**
 * Training: {@link io.deltarule.training.Trainer} is the loop, {@link io.deltarule.training.Stack}
 * the forward and backward pass through an {@link io.deltarule.engine.Engine}.
 */
package io.deltarule.training;
