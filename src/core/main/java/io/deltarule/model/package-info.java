/** Trained models and their files: safetensors, written whole or not at all, checked when read. */
package io.deltarule.model;
