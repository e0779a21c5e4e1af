package io.deltarule.host;

import java.lang.reflect.InvocationTargetException;

/**
 * Which products this JVM computes: those in vectors need the module jdk.incubator.vector, which is
 * there if Java is started with {@code --add-modules jdk.incubator.vector}. Without it none of
 * their classes is loaded.
 */
final class Vectorization {
  private static final String MODULE = "jdk.incubator.vector";
  private static final String PRODUCTS = "io.deltarule.host.VectorProducts";

  /** From this one on, C2 compiles tiles of vectors to nearly the speed of the processor. */
  private static final int FAST_JAVA = 25;

  private static final boolean PRESENT = ModuleLayer.boot().findModule(MODULE).isPresent();

  private Vectorization() {}

  /** The fastest once they are compiled. */
  static Products products(Workers workers) {
    if (!PRESENT) {
      return new RowProducts(workers);
    }
    try {
      return (Products)
          Class.forName(PRODUCTS).getDeclaredConstructor(Workers.class).newInstance(workers);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(PRODUCTS, e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(PRODUCTS, e);
    }
  }

  /** The plain ones until the fastest are compiled. */
  static Products warming(Workers workers) {
    Products plain = new RowProducts(workers);
    return PRESENT ? new WarmingProducts(plain, products(workers), WarmUp.begun()) : plain;
  }

  /** How this JVM could be faster; empty if it could not. */
  static String advice() {
    if (!PRESENT) {
      return "; faster with java --add-modules " + MODULE;
    }
    return Runtime.version().feature() < FAST_JAVA
        ? "; faster with Java " + FAST_JAVA + " or newer"
        : "";
  }
}
