/**
 * Data sets: CSV and IDX files become row-major float matrices and label columns, which are split,
 * standardised and encoded as targets. Whatever is wrong with a file ends as an {@link
 * io.deltarule.data.InputException} whose one line says where and what to do.
 */
package io.deltarule.data;
