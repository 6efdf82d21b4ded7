/** Why a call is refused: one of the words of interop.Refusals. */
final class Refused extends Exception {
    Refused(String why) {
        super(why);
    }

    static void unless(boolean good, String why) throws Refused {
        if (!good) throw new Refused(why);
    }
}
