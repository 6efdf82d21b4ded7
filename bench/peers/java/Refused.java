/** Why a message is not answered. */
final class Refused extends Exception {
    Refused(String why) {
        super(why, null, false, false); // no stack: a refusal is an answer
    }

    static void unless(boolean good, String why) throws Refused {
        if (!good) throw new Refused(why);
    }
}
