/** Whether engines agree on a network: quantity by quantity, with the reference as the umpire. */
package io.deltarule.verification;
